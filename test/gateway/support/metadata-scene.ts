// A cache of metadata in a folder of its own, what it told, and one request to it.

import type {
  AskedMetadata,
  MetadataCount,
  MetadataSource,
} from '../../../src/gateway/cache/asked-metadata.ts';
import { CacheFolder } from '../../../src/gateway/cache/cache-folder.ts';
import { MetadataCache, type MetadataCacheOptions } from '../../../src/gateway/cache/metadata-cache.ts';
import type { Forwarder, ForwardRequest } from '../../../src/gateway/forward/forwarder.ts';
import { type HeaderField, HeaderList } from '../../../src/http/header-list.ts';
import { HeldOctets } from '../../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { ScriptedClient } from './scripted-origin.ts';

export interface TestMetadata extends AsyncDisposable {
  readonly cache: MetadataCache;
  readonly folder: CacheFolder;
  readonly counts: Map<MetadataCount, number>;
  readonly unwritable: string[];
  readonly faults: unknown[];
}

export async function openTestMetadata(
  directory: string,
  options: Partial<MetadataCacheOptions> = {},
): Promise<TestMetadata> {
  const folder = options.folder ?? (await CacheFolder.open(directory));
  const counts: TestMetadata['counts'] = new Map();
  const unwritable: string[] = [];
  const faults: unknown[] = [];
  const cache = new MetadataCache({
    keepBytes: 64 * 1024 ** 2,
    share: 'all',
    limits: defaultLimits,
    held: new HeldOctets(),
    clock: Date.now,
    onCount: (what, count) => void counts.set(what, (counts.get(what) ?? 0) + count),
    onUnwritable: (reason) => unwritable.push(reason),
    onFault: (error) => faults.push(error),
    ...options,
    folder,
  });
  return {
    cache,
    folder,
    counts,
    unwritable,
    faults,
    [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose](),
  };
}

export interface AskingMetadata {
  readonly path?: string;
  readonly fields?: readonly HeaderField[];
  readonly client?: ScriptedClient;
  readonly signal?: AbortSignal;
  readonly asked?: Partial<AskedMetadata>;
  readonly accept?: string;
  readonly reach?: readonly string[];
  readonly sessionId?: string;
}

export interface ToldMetadata {
  readonly client: ScriptedClient;
  readonly sources: readonly MetadataSource[];
}

export async function askMetadata(
  { cache }: Pick<TestMetadata, 'cache'>,
  origin: Pick<Forwarder, 'forward'>,
  asking: AskingMetadata = {},
): Promise<ToldMetadata> {
  const { path = '/a', fields = [], client = new ScriptedClient(), accept = 'application/json' } = asking;
  const { signal = new AbortController().signal, reach = [], asked = {}, sessionId = 's' } = asking;
  const sources: MetadataSource[] = [];
  const destination = { scheme: 'https', host: 'registry.test', port: 443 } as const;
  const headers = HeaderList.of([['accept', accept], ...fields]);
  const request: ForwardRequest = {
    head: { method: 'GET', destination, path, query: '', headers, httpVersion: '1.1' },
    body: undefined,
    bodyLength: undefined,
    principalId: 'p',
    sessionId,
    credentials: [],
    addresses: [],
    signal,
  };
  let text = '';
  await cache.forward(origin, request, client, {
    key: {
      registry: 'npm',
      root: 'https://registry.test:443',
      name: path,
      url: `https://registry.test:443${path}`,
      reach,
      accept,
    },
    cacheControl: '',
    ifNoneMatch: [],
    check: () => ({
      onHead: () => undefined,
      onData: (chunk) => void (text += Buffer.from(chunk).toString('latin1')),
      isReadable: () => text.startsWith('{') && text.endsWith('}'),
      [Symbol.dispose]: () => undefined,
    }),
    onSource: (source) => sources.push(source),
    ...asked,
  });
  return { client, sources };
}
