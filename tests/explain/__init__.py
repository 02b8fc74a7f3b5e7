"""What `netdsl explain` tells, against PyTorch."""
