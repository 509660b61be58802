// The text that the workload sees in a credential's place.

import type { PlaceholderSettings } from './credential-kind.ts';

/** `name` is the credential's. */
export function placeholderText(name: string, settings: PlaceholderSettings | undefined): string {
  return settings?.value ?? `upstreamproxy-placeholder-${name}`;
}
