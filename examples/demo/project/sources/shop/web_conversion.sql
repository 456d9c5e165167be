select * from marts.web_conversion
