output "queue" {
  value = aws_sqs_queue.jobs.url
}

output "account" {
  value = "${data.aws_caller_identity.me.account_id} in ${data.aws_region.here.name}"
}
