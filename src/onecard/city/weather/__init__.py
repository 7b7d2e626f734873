"""The line of a front-end as the world treats it: cut, delayed, out of order, doubled. Only simulations import this."""
