"""SOAP web services described by a WSDL."""
