"""What tests share: servers, nodes, repositories and runs to work with."""
