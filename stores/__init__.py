"""Where data lives: contracts, records, errors and the backends behind them."""
