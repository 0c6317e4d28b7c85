# bind it on the project
resource "google_project_iam_custom_role" "acme_applier_1" {
  role_id     = "acme_applier_1"
  title       = "acme-applier"
  description = "needed by apply, update (init, ongoing)"
  stage       = "GA"
  permissions = [
    "compute.networks.create",
    "iam.serviceAccounts.actAs",
  ]
}

# bind it on projects/{project}/topics/jobs
resource "google_project_iam_custom_role" "acme_applier_2" {
  role_id     = "acme_applier_2"
  title       = "acme-applier"
  description = "needed by apply, update (init, ongoing)"
  stage       = "GA"
  permissions = [
    "pubsub.topics.publish",
  ]
}
