# Rendered by rotator: change rotation.toml and run `rotator render`, not this file.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 7.0"
    }
  }

  backend "local" {}
}

provider "aws" {
  region = "us-east-1"
}
