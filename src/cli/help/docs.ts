// `upstreamproxy docs`: the documentation site that comes with the package.

import { readFile } from 'node:fs/promises';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { packageFile } from '../../system/package-file.ts';
import { docsDefinition } from '../commands/docs-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { unpackSite } from './packed-site.ts';
import { serveSite } from './site-server.ts';
import { openInBrowser } from '../terminal/open-in-browser.ts';

/** Where the package has it. */
const packed = 'site/documents.tar.zst';

export const docsCommand = commandOf(docsDefinition, async ({ options: { port, open, from } }) => {
  const file = from ?? packageFile(packed);
  if (file === undefined)
    throw new ProxyError(
      'config_invalid',
      'this program came without the documents; take upstreamproxy-docs-VERSION.tar.zst of its release, and name it with --from',
    );
  const content = await readFile(file).catch((error: unknown) => {
    throw new ProxyError('config_invalid', `${file}: ${faultReason(error)}`, { cause: error });
  });
  using shutdown = listenForShutdown();
  await using server = await serveSite(unpackSite(content, file), port);
  process.stdout.write(`${server.address.href}\n`);
  if (open) openInBrowser(server.address);
  await shutdown.requested;
  return 0;
});
