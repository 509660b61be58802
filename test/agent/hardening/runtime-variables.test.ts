// Every variable that a runtime, its OpenSSL and the loader read, as their own executables name them: each is refused, taken out, told, or
// in the table of what is harmless. A name that a later version brings fails here until somebody has looked at it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { inspectEnvironment } from '../../../src/agent/hardening/environment-scrub.ts';
import { harmlessNodeOptions } from '../../../src/agent/hardening/runtime-options.ts';

const bin = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));
const loader = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'].find((path) => existsSync(path));

/** By reason. They run no code, open no inspector, write nothing of the memory anywhere, and change neither what is loaded nor what is trusted. */
const harmless: Readonly<Record<string, string>> = {
  'colours, terminal and folders of programs, which the agent has not': `
    FORCE_COLOR NO_COLOR NODE_DISABLE_COLORS NODE_REPL_HISTORY TERM TEMP TMP TMPDIR USERPROFILE TZ TZDIR LOCPATH NLSPATH BUN_TMPDIR
    BUN_DISABLE_KITTY_PROBE BUN_INTERNAL_INTERACTIVE_ASSUME_TTY`,
  'warnings and workarounds of the runtime': `
    NODE_NO_WARNINGS NODE_PENDING_DEPRECATION NODE_PENDING_PIPE_INSTANCES NODE_SKIP_PLATFORM_CHECK NODE_COMPILE_CACHE_PORTABLE
    NODE_COMPILE_CACHE_READONLY NODE_DISABLE_COMPILE_CACHE UNDICI_NO_WASM_SIMD UV_THREADPOOL_SIZE UV_USE_IO_URING OPENSSL_ia32cap`,
  'of commands of the runtime that the agent does not run: tests, benchmarks, clusters, installing, building': `
    JEST_WORKER_ID NODE_BENCH_CONTEXT NODE_BENCH_FILE_RUN_ID NODE_BENCH_RUN_ID NODE_CLUSTER_SCHED_POLICY NODE_INSPECT_RESUME_ON_START
    NODE_TEST_CONTEXT NODE_TEST_WORKER_ID`,
  'the channel to whoever started the process, from which the agent takes nothing':
    'NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE',
  'authorities of the system beside those that the agent names for each connection': 'NODE_USE_SYSTEM_CA',
  'names of files that OpenSSL would read or write where the agent asked it to': 'CTLOG_FILE QLOGDIR',
  'no variables: words of the executable': 'NODE_DEBUG_ENABLED NODE_SEA_BLOB NODE_SEA_FUSE',
  'hosts that a proxy is not for, beside variables that are taken out': 'NO_PROXY',
  'how symbols are bound and memory is given': `
    LD_BIND_NOT LD_BIND_NOW LD_PREFER_MAP_32BIT_EXEC LD_VERBOSE LD_WARN MALLOC_ARENA_MAX MALLOC_ARENA_TEST MALLOC_CHECK_
    MALLOC_MMAP_MAX_ MALLOC_MMAP_THRESHOLD_ MALLOC_PERTURB_ MALLOC_TOP_PAD_ MALLOC_TRACE MALLOC_TRIM_THRESHOLD_ GETCONF_DIR`,
  'how names are looked up: whoever responds must show the certificate':
    'HOSTALIASES LOCALDOMAIN NIS_PATH RESOLV_HOST_CONF RES_OPTIONS',
};

/** Behind `BUN_`: speed, garbage, transport, installing, testing, building. */
const harmlessOfBun: ReadonlySet<string> = new Set(
  `
    AGENT_RULE_DISABLED ASSUME_PERFECT_INCREMENTAL CHROME_PATH COMPILE_TARGET_TARBALL_URL CONFIG_DISABLE_COPY_FILE_RANGE
    CONFIG_DNS_TIME_TO_LIVE_SECONDS CONFIG_HTTP_IDLE_TIMEOUT CONFIG_WS_CLOSE_TIMEOUT CONFIG_WS_HANDSHAKE_TIMEOUT DEBUG_FORCE_NIX_HOST
    DEBUG_TEST_CHECK_PROGRESS_DELAY_MS DESTRUCT_VM_ON_EXIT DEV_SERVER_TEST_RUNNER DISABLE_SLOW_FILESYSTEM_WARNING
    DISABLE_SLOW_LIFECYCLE_SCRIPT_LOGGING DISABLE_SOURCE_CODE_PREVIEW DISABLE_STOP_IF_NECESSARY_TIMER DISABLE_STORE_AST_HEAP
    DISABLE_TRANSPILED_SOURCE_CODE_PREVIEW DISABLE_TRANSPILER ENABLE_EXPERIMENTAL_SHELL_BUILTINS FEATURE_FLAG_DISABLE_ADDRCONFIG
    FEATURE_FLAG_DISABLE_ASYNC_TRANSPILER FEATURE_FLAG_DISABLE_DNS_CACHE FEATURE_FLAG_DISABLE_EPOLL_PWAIT2
    FEATURE_FLAG_DISABLE_FETCH_TLS_SESSION_CACHE FEATURE_FLAG_DISABLE_IGNORE_SCRIPTS FEATURE_FLAG_DISABLE_INSTALL_INDEX
    FEATURE_FLAG_DISABLE_IO_POOL FEATURE_FLAG_DISABLE_IPV4 FEATURE_FLAG_DISABLE_IPV6 FEATURE_FLAG_DISABLE_ISOLATION_SOURCE_CACHE
    FEATURE_FLAG_DISABLE_MEMFD FEATURE_FLAG_DISABLE_NATIVE_DEPENDENCY_LINKER FEATURE_FLAG_DISABLE_REDIS_AUTO_PIPELINING
    FEATURE_FLAG_DISABLE_RWF_NONBLOCK FEATURE_FLAG_DISABLE_SIMD_SOURCEMAP FEATURE_FLAG_DISABLE_SOURCE_MAPS
    FEATURE_FLAG_DISABLE_SPAWNSYNC_FAST_PATH FEATURE_FLAG_DISABLE_SQL_AUTO_PIPELINING FEATURE_FLAG_DISABLE_STANDALONE_MADVISE
    FEATURE_FLAG_DISABLE_STREAMING_INSTALL FEATURE_FLAG_EXPERIMENTAL_BAKE FEATURE_FLAG_EXPERIMENTAL_HTTP2_CLIENT
    FEATURE_FLAG_EXPERIMENTAL_HTTP3_CLIENT FEATURE_FLAG_FORCE_IO_POOL FEATURE_FLAG_FORCE_WINDOWS_JUNCTIONS
    FEATURE_FLAG_INTERNAL_FOR_TESTING FEATURE_FLAG_LAST_MODIFIED_PRETEND_304 FEATURE_FLAG_NO_LIBDEFLATE FEATURE_FLAG_NO_ORPHANS
    GARBAGE_COLLECTOR_LEVEL GC_RUNS_UNTIL_SKIP_RELEASE_ACCESS GC_TIMER_DISABLE GC_TIMER_INTERVAL IDLE_GC_SECONDS
    INOTIFY_COALESCE_INTERVAL INSTALL INSTALL_BIN INSTALL_CACHE_DIR INSTALL_GLOBAL_DIR INSTALL_STREAMING_DRAIN_THRESHOLD
    INSTALL_STREAMING_MIN_SIZE INTERNAL_BAKE_RESTART INTERNAL_BUNX_HAS_COPY INTERNAL_BUNX_INSTALL INTERNAL_CHECK_SCRIPTS
    INTERNAL_NAPI_FORCE_MUSL_CHECK INTERNAL_SCRIPTS_OF_COMMANDS INTERNAL_SUPPRESS_CRASH_ON_NAPI_ABORT
    INTERNAL_SUPPRESS_CRASH_ON_UV_STUB LINT_MEMORY NO_CODESIGN_MACHO_BINARY PLUGIN_NAME TEST_DRAIN_EVENT_LOOP THREADPOOL_STATS
  `
    .trim()
    .split(/\s+/)
    .map((name) => `BUN_${name}`),
);

const harmlessNames: ReadonlySet<string> = new Set(
  Object.values(harmless).flatMap((names) => names.trim().split(/\s+/)),
);

/** Whether something is said of it, and what. */
function classOf(name: string): 'refused' | 'removable' | 'reported' | undefined {
  // An option as its value, for variables that hold some.
  const found = inspectEnvironment({ [name]: '--require=x' });
  return (['refused', 'removable', 'reported'] as const).find((kind) => found[kind].length > 0);
}

function namesIn(file: string, patterns: readonly RegExp[]): ReadonlySet<string> {
  const text = readFileSync(file).toString('latin1');
  return new Set(patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name = '']) => name)));
}

/** Each name is in exactly one of the classes. */
function mustBeKnown(names: ReadonlySet<string>, isHarmless: (name: string) => boolean): void {
  const unknown = [...names].filter((name) => classOf(name) === undefined && !isHarmless(name));
  assert.deepEqual(
    unknown,
    [],
    'look at them, and put each into a list of environment-scrub.ts or into the table here',
  );
  const both = [...names].filter((name) => classOf(name) !== undefined && harmlessNames.has(name));
  assert.deepEqual(both, []);
}

test('each variable that Node and its OpenSSL name is known', () => {
  const names = new Set([
    ...namesIn(join(bin, 'node'), [
      // Text that ends with a zero, as getenv takes it, and JavaScript of the runtime.
      /(?<!\w)(NODE_[A-Z0-9_]+)(?=\0)/g,
      /process\.env\.([A-Z][A-Z0-9_]+)/g,
      /(?<!\w)(OPENSSL_(?:CONF|CONF_INCLUDE|MODULES|ENGINES|ia32cap)|SSL_CERT_(?:FILE|DIR)|SSLKEYLOGFILE|CTLOG_FILE|QLOGDIR)(?=\0)/g,
    ]),
    ...(/Environment variables:[^]*/
      .exec(spawnSync(join(bin, 'node'), ['--help'], { encoding: 'utf8', env: {} }).stdout)?.[0]
      .match(/^[A-Z][A-Z0-9_]+/gm) ?? []),
  ]);
  for (const name of [
    'NODE_OPTIONS',
    'NODE_EXTRA_CA_CERTS',
    'OPENSSL_CONF',
    'SSL_CERT_FILE',
    'UV_THREADPOOL_SIZE',
  ])
    assert.ok(names.has(name), name);
  const constants = /^NODE_PERFORMANCE_/;
  mustBeKnown(names, (name) => harmlessNames.has(name) || constants.test(name));
});

test('each variable that Bun names is known', () => {
  // Where names stand without anything between them, they are not told apart.
  const found = [...namesIn(join(bin, 'bun'), [/(?<!\w)(BUN_[A-Z0-9_]+)(?=\0)/g])].filter(
    (name) => (name.match(/BUN_/g) ?? []).length === 1,
  );
  assert.ok(found.includes('BUN_OPTIONS') && found.length > 50, String(found.length));
  mustBeKnown(new Set(found), (name) => harmlessNames.has(name) || harmlessOfBun.has(name));
});

test(
  'each variable that the loader drops in privileged programs is known',
  { skip: loader === undefined && 'no loader of glibc' },
  () => {
    const names = namesIn(loader ?? '', [
      /(?<!\w)((?:LD|MALLOC|GLIBC)_[A-Z0-9_]+|GCONV_PATH|GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|NIS_PATH|NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TMPDIR|TZDIR)(?=\0)/g,
    ]);
    for (const name of ['LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH', 'GLIBC_TUNABLES'])
      assert.ok(names.has(name), name);
    // Versions of symbols are named so too.
    mustBeKnown(names, (name) => harmlessNames.has(name) || /^GLIBC_(?:ABI|PRIVATE)/.test(name));
  },
);

test('each option of V8 is one that NODE_OPTIONS refuses, or harmless by its name', () => {
  const { stdout } = spawnSync(join(bin, 'node'), ['--v8-options'], {
    encoding: 'utf8',
    env: {},
    maxBuffer: 2 ** 24,
  });
  const options = [...stdout.matchAll(/^ {2}--(?:\[no-\])?([a-z0-9-]+)/gm)].map(([, name = '']) => name);
  assert.ok(options.length > 500, String(options.length));
  for (const name of new Set(options)) {
    const { refused } = inspectEnvironment({ NODE_OPTIONS: `--${name}` });
    const bare = name.replace(/^no-/, '');
    assert.equal(
      refused.length,
      harmlessNodeOptions.has(name) || harmlessNodeOptions.has(bare) ? 0 : 1,
      name,
    );
  }
  // Among them those that let a process of JavaScript out of its engine's hands.
  for (const name of ['allow-natives-syntax', 'expose-gc', 'prof', 'logfile', 'perf-basic-prof'])
    assert.equal(inspectEnvironment({ NODE_OPTIONS: `--${name}` }).refused.length, 1, name);
});
