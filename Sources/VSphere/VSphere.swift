// VSphere
