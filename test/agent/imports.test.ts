import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** What the container's side may stand on: one source for two runtimes, quick to start, with nothing from a registry. */
const allowed = new Set([
  'node:buffer',
  'node:crypto',
  'node:fs',
  'node:fs/promises',
  'node:net',
  'node:os',
  'node:path',
  'node:stream',
  'node:tls',
]);
/** What is loaded only where files in HOME are asked for, to run programs that write stores of their own form. */
const allowedForHomeFiles = new Set(['node:child_process', 'node:util']);
/** What is loaded only where capture on loopback is asked for, to respond to names and to look up the gateway's. */
const allowedForLoopback: Readonly<Record<string, readonly string[]>> = {
  'agent/capture/loopback-entrances.ts': ['node:dgram', 'node:events'],
  'net/resolver.ts': ['node:dns'],
};
/** What is loaded only where the caller itself fetches through the proxy, or has the session in a thread of its own. */
const allowedForCaller: Readonly<Record<string, readonly string[]>> = {
  'agent/caller-fetch.ts': ['node:http', 'node:https', 'node:zlib'],
  'agent/own-thread.ts': ['node:worker_threads'],
};
/** What is loaded only where datagrams are asked for. */
const allowedForDatagrams: Readonly<Record<string, readonly string[]>> = {
  'agent/relay/datagram-entrance.ts': ['node:dgram', 'node:events'],
};
/** What a file that ends TLS of clients needs to tell handshakes apart, as in the gateway. */
const allowedForTls: Readonly<Record<string, readonly string[]>> = {
  'intercept/tls-terminator.ts': ['node:async_hooks'],
};
const root = new URL('../../src/', import.meta.url);

/** All files that a file imports at run time, and all modules that are not files of ours; `atOnce`: at its start. */
function importGraph(
  entry: URL,
  atOnce = false,
): {
  readonly files: ReadonlySet<string>;
  readonly modules: ReadonlyMap<string, readonly string[]>;
} {
  const files = new Set<string>();
  const modules = new Map<string, string[]>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file.href)) continue;
    files.add(file.href);
    const text = readFileSync(file, 'utf8').replaceAll(/^import type [^;]+;/gm, '');
    for (const [, named, loaded] of text.matchAll(
      /^(?:import|export)\s[^;]*?from '([^']+)';|import\('([^']+)'\)/gm,
    )) {
      const specifier = named ?? (atOnce ? undefined : loaded);
      if (specifier === undefined) continue;
      if (specifier.startsWith('.')) waiting.push(new URL(specifier, file));
      else modules.set(specifier, [...(modules.get(specifier) ?? []), file.href]);
    }
  }
  return { files, modules };
}

test('the library stands on a few modules of the runtime and nothing else', () => {
  const { files, modules } = importGraph(new URL('index.ts', root));
  assert.ok(files.size > 30, `only ${files.size} files were seen`);
  for (const [module, users] of modules) {
    for (const file of users) {
      const isForHomeFiles = file.includes('/agent/home-files/') && allowedForHomeFiles.has(module);
      const name = file.slice(root.href.length);
      const isFor = [allowedForLoopback, allowedForCaller, allowedForDatagrams, allowedForTls].some(
        (all) => all[name]?.includes(module) === true,
      );
      assert.ok(allowed.has(module) || isForHomeFiles || isFor, `${file} imports ${module}`);
    }
  }
});

test('what capture on loopback, datagrams and the caller itself need is not loaded by others', () => {
  const { files } = importGraph(new URL('index.ts', root), true);
  for (const file of [allowedForLoopback, allowedForCaller, allowedForDatagrams].flatMap((all) =>
    Object.keys(all),
  ))
    assert.equal(files.has(new URL(file, root).href), false, file);
});

test('the library reaches neither gateway, policy, store nor api', () => {
  const { files } = importGraph(new URL('index.ts', root));
  for (const file of files)
    assert.doesNotMatch(file.slice(root.href.length), /^(gateway|policy|store|api|console|cli)\//);
});

test('one file alone touches foreign functions', () => {
  const { files } = importGraph(new URL('index.ts', root));
  const touching = [...files].filter((file) =>
    /['"](node|bun):ffi['"]/.test(readFileSync(new URL(file), 'utf8')),
  );
  assert.deepEqual(touching, [new URL('system/ffi.ts', root).href]);
});
