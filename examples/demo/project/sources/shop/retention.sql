select * from marts.customer_retention
