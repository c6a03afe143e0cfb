"""The oversamplers that the paper's experiments compare."""
