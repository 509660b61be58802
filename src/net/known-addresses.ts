// Addresses of names that lead to the same place whoever resolves them.

/** Names that mean the same everywhere (RFC 6761 §6.3, clouds), whoever resolves them. */
export function knownAddresses(host: string): readonly string[] {
  if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1'];
  return metadataNames.has(host) ? ['169.254.169.254'] : [];
}

const metadataNames: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
]);
