"""The Alipay simulator, asked the way a merchant asks."""
