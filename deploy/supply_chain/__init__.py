"""What is installed where: the locks, their bills of materials, and what is known against them."""
