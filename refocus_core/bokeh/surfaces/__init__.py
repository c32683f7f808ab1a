"""How one picture is cut into what is in front and what lies behind it near depth edges."""
