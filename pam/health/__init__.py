"""What is wrong with a database, by how much, and the next command. Facts in, findings out; `examine` alone looks."""
