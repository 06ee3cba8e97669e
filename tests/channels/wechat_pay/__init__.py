"""Tests of the WeChat Pay adapter."""
