// The console's files, as the build made them: read once at the start into a table of fixed paths, so no request names a file.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { etagMatches } from './etag.ts';

/** The console of one listener. */
export interface ConsoleAssets {
  /** Whether it was the console that was asked for; the response is then sent. Never throws. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
}

interface Asset {
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
  /** Its name has a hash of its content. */
  readonly isImmutable: boolean;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The pages; each is the same document, and what it shows is the address. An id is one segment. */
const pagePattern =
  /^\/(?:live|access|sessions|policy|overview|credentials|settings|exchange\/[^/]{1,200}|sessions\/[^/]{1,200})?$/;

export function isConsolePage(path: string): boolean {
  return pagePattern.test(path);
}

/** The build puts the files there, and the package has them at the same place beside the program. */
const builtFolder = '../../../dist/console';

/** Where the files of a build are. */
interface ConsoleFiles {
  /** Names of what the document asks for. */
  names(): Promise<readonly string[]>;
  read(path: string): Promise<Buffer>;
}

/** Reads the files of a build: of a folder, else of this program's own. Without one, its pages say so. */
export async function loadConsole(folder?: string): Promise<ConsoleAssets> {
  const files = folder === undefined ? ownFiles() : filesOf(folder);
  const assets = await readAssets(files).catch((error: unknown) => {
    // A build that was never made; anything else of it is a fault.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  return { serve: (request, response) => serve(assets, request, response) };
}

/** The single file stands beside nothing, and has them in itself. */
function ownFiles(): ConsoleFiles {
  // Bun has no such module.
  const inside = process.versions['bun'] === undefined ? process.getBuiltinModule('node:sea') : undefined;
  if (inside?.isSea() === true) return filesInside(inside);
  return filesOf(fileURLToPath(new URL(builtFolder, import.meta.url)));
}

function filesOf(folder: string): ConsoleFiles {
  return {
    names: async () => {
      const entries = await readdir(join(folder, 'assets'), { withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    },
    read: (path) => readFile(join(folder, path)),
  };
}

/** As the builder of the single file names them (scripts/release/single-file.ts). */
const insideFolder = 'console/';

function filesInside({ getAssetKeys, getRawAsset }: typeof import('node:sea')): ConsoleFiles {
  return {
    names: () => {
      const start = `${insideFolder}assets/`;
      const keys = getAssetKeys().filter((key) => key.startsWith(start));
      return Promise.resolve(keys.map((key) => key.slice(start.length)));
    },
    // Only read: its memory is that of the program.
    read: (path) => Promise.resolve(Buffer.from(getRawAsset(`${insideFolder}${path}`))),
  };
}

const compressed = promisify(gzip);

async function readAssets(files: ConsoleFiles): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map([['/', await readAsset(files, 'index.html', false)]]);
  for (const name of await files.names())
    if (extname(name) in types) assets.set(`/assets/${name}`, await readAsset(files, `assets/${name}`, true));
  return assets;
}

async function readAsset(files: ConsoleFiles, path: string, isImmutable: boolean): Promise<Asset> {
  const body = await files.read(path);
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
  const type = types[extname(path)] ?? 'application/octet-stream';
  return { type, body, gzipped: await compressed(body), etag, isImmutable };
}

/** What the page may do: its own files and its own origin, and nothing is written as markup or run as text. */
const securityFields = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;

const notBuilt =
  'The console was not built. In a checkout, "npm run build:console" builds it; the npm package, the single file and the images have it. ' +
  'The API is served all the same.\n';

function serve(
  assets: ReadonlyMap<string, Asset> | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const [path = ''] = (request.url ?? '').split('?', 1);
  const isPage = isConsolePage(path);
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  if (assets === undefined) {
    if (!isPage) return false;
    response.writeHead(503, { ...securityFields, 'content-type': 'text/plain; charset=utf-8' }).end(notBuilt);
    return true;
  }
  const asset = assets.get(isPage ? '/' : path);
  if (asset === undefined) return false;
  send(asset, request, response);
  return true;
}

function send(asset: Asset, request: IncomingMessage, response: ServerResponse): void {
  const { type, etag, isImmutable, body, gzipped } = asset;
  const fields = {
    ...securityFields,
    'content-type': type,
    'cache-control': isImmutable ? 'private, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
    etag,
  };
  const ifNoneMatch = request.headers['if-none-match'];
  if (ifNoneMatch !== undefined && etagMatches(ifNoneMatch, etag)) {
    response.writeHead(304, fields).end();
    return;
  }
  const isGzip = takesGzip(String(request.headers['accept-encoding'] ?? ''));
  const sent = isGzip ? gzipped : body;
  const encoding = isGzip ? { 'content-encoding': 'gzip' } : {};
  response.writeHead(200, { ...fields, ...encoding, 'content-length': sent.length });
  response.end(request.method === 'HEAD' ? undefined : sent);
}

/** By name, and not by a weight of 0 (RFC 9110 §12.5.3). */
function takesGzip(acceptEncoding: string): boolean {
  return acceptEncoding.split(',').some((one) => {
    const [coding = '', weight = 'q=1'] = one.split(';').map((part) => part.trim().toLowerCase());
    return coding === 'gzip' && Number(weight.replace(/^q=/, '')) > 0;
  });
}
