"""Routes of people (人员): signing in, accounts, tokens, posts, invitations, substitutes."""
