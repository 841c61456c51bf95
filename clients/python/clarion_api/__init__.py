"""The messages and stubs of Clarion's protos, as `make proto` wrote them."""
