"""Meetings and tallies (会议、计票): records that several stages use. What is asked of them stands with the stages."""
