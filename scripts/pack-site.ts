// The last step before the package is packed: puts the documentation site into it, as one file. With UPSTREAMPROXY_PACK_SITE=no the package has
// none, for tests of its other parts.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runIn } from './site/site-tools.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const archive = join(root, 'site/documents.tar.zst');
// One of another day is not of this version.
rmSync(archive, { force: true });
if (process.env['UPSTREAMPROXY_PACK_SITE'] !== 'no')
  runIn(root, process.execPath, [
    '--disable-warning=ExperimentalWarning',
    'scripts/build-site.ts',
    '--archive',
    archive,
  ]);
