// Domains below which anybody can register a name, or have one given: a wildcard over one of them bounds nothing.

import { isPublicSuffix as isListed } from '../http/public-suffix.ts';

/** Not in the Public Suffix List, since their owners did not ask for it, but names below them belong to strangers. */
const unlisted: ReadonlySet<string> = new Set([
  'amazonaws.com',
  'execute-api.amazonaws.com',
  'on.aws',
  'cloudapp.azure.com',
  'windows.net',
  'core.windows.net',
  'app.github.dev',
  'netlify.com',
  'herokudns.com',
  'railway.app',
  'glitch.me',
  'loca.lt',
  'localhost.run',
  'serveo.net',
  'backblazeb2.com',
  'wasabisys.com',
  'b-cdn.net',
  'fastly.net',
  'gradio.live',
  'modal.run',
  'wordpress.com',
  'nip.io',
  'sslip.io',
  'xip.io',
  'interact.sh',
  'oast.fun',
  'oast.pro',
  'webhook.site',
]);

/** Services with a name for each region, below which customers have theirs: `eu-west-1.amazonaws.com`. */
const regional: ReadonlySet<string> = new Set([
  'amazonaws.com',
  'cloudapp.azure.com',
  'digitaloceanspaces.com',
]);

/** Whether names below this one belong to strangers: `com`, `co.uk`, `github.io`, `s3.eu-west-1.amazonaws.com` … */
export function isPublicSuffix(suffix: string): boolean {
  return (
    unlisted.has(suffix) ||
    regional.has(suffix.slice(suffix.indexOf('.') + 1)) ||
    isListed(suffix, 'all') ||
    // Endpoints of the object store of a region that the list does not have yet.
    isObjectStore(suffix)
  );
}

const amazon = '.amazonaws.com';

/** `s3.eu-north-7.amazonaws.com`, `s3-eu-north-7.amazonaws.com`, `s3.dualstack.…`. */
function isObjectStore(suffix: string): boolean {
  if (!suffix.startsWith('s3') || !suffix.endsWith(amazon)) return false;
  const region = suffix.slice('s3'.length, -amazon.length);
  const hasEmptyLabel = region.includes('..') || region.startsWith('-.') || region.endsWith('.');
  return /^[.-][a-z0-9.-]+$/.test(region) && !hasEmptyLabel;
}
