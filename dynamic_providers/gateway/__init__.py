"""The gateway's side: AsyncOS over SSH, from bytes (`ssh`, `shell`) by questions (`dialogue`) to commits (`transaction`)."""
