select * from marts.dim_products
