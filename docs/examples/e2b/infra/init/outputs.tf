output "nodes_account" { value = google_service_account.nodes.email }
output "network" { value = google_compute_network.main.id }
output "subnetwork" { value = google_compute_subnetwork.nodes.id }
output "buckets" { value = { for k, b in google_storage_bucket.nodes : k => b.name } }
output "backups" { value = google_storage_bucket.backups.name }
output "secrets" { value = { for k, s in google_secret_manager_secret.app : k => s.secret_id } }

output "backup_key" {
  value     = { id = google_storage_hmac_key.clickhouse.access_id, secret = google_storage_hmac_key.clickhouse.secret }
  sensitive = true
}
