// The Public Suffix List: names below which anybody can register one. It comes with the package, nothing is fetched.

import { getPublicSuffix } from 'tldts';

/** `registries`: top-level domains and what registries sell below; `all`: also what companies give to their customers. */
export type SuffixSection = 'registries' | 'all';

/** Whether the canonical name is a public suffix itself. A name without a dot always is. */
export function isPublicSuffix(name: string, section: SuffixSection): boolean {
  const allowPrivateDomains = section === 'all';
  // The name is canonical already: nothing of a URL is to be taken off, no form to be checked.
  const options = { allowPrivateDomains, extractHostname: false, validateHostname: false };
  return !name.includes('.') || getPublicSuffix(name, options) === name;
}
