"""How the flows are deployed: what the server must know (`register`), and all of it on one machine (`local`)."""
