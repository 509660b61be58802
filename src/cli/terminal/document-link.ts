// Links from the code of an error to its section in the documents.

import { hostname } from 'node:os';
import { pathToFileURL } from 'node:url';
import type { ErrorCode } from '../../protocol/error-table.ts';
import { packageFile } from '../../system/package-file.ts';
import { linked, type TerminalStream } from './terminal-stream.ts';

/** The variable that says where the documents are as a site. */
const siteVariable = 'UPSTREAMPROXY_DOCS';

/** `text` may be painted. Where there are no links it stands alone. */
export function errorLink(stream: TerminalStream, code: ErrorCode, text: string = code): string {
  // Looked for where it is shown alone: it is a look at the disk.
  return stream.hasLinks ? linked(stream, text, errorDocument(code, process.env)) : text;
}

/**
 * A section of the errors: on the site that the environment names, else in the file that the package has. Undefined where there is neither.
 * That of a file has no name of the section: what opens files for a terminal takes it for a part of the path.
 */
export function errorDocument(
  code: string,
  environment: Readonly<Record<string, string | undefined>>,
): URL | undefined {
  const site = environment[siteVariable];
  if (site !== undefined && site !== '') return onSite(site, code);
  const file = packageFile('docs/reference/errors.md');
  if (file === undefined) return undefined;
  const url = pathToFileURL(file);
  // A terminal at the other end of SSH has another file of that path, or none.
  const name = hostname();
  if (/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(name)) url.host = name;
  return url;
}

function onSite(site: string, code: string): URL | undefined {
  const base = URL.canParse(site) ? new URL(site) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol) || base.username + base.password !== '')
    return undefined;
  base.pathname = `${base.pathname.replace(/\/$/, '')}/reference/errors.html`;
  base.search = '';
  base.hash = code;
  return base;
}
