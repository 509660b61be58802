// The certificates of a bundle that others made: systems write comments, names and trust settings between the blocks.

/** The DER of each certificate block, in order, each once. What is not a block is passed over. */
export function certificatesIn(bundle: string): Uint8Array[] {
  const blocks = bundle.matchAll(
    /-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----/g,
  );
  const contents = new Set([...blocks].map(([, base64 = '']) => base64.replaceAll(/\s/g, '')));
  return [...contents].map((base64) => Buffer.from(base64, 'base64'));
}
