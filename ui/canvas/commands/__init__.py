"""What is done to the graph from the canvas, each as one undo step."""
