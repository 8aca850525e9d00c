"""People (人员): their branches, their posts and their rights."""
