"""The gateway's side: AsyncOS over SSH, from bytes by questions and answers to commits, and its tables."""
