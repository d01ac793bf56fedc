"""What is kept on the server beside Prefect's own things."""
