"""The UnionPay simulator, asked as a merchant asks."""
