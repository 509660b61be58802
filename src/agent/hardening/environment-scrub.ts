// Environment variables that could read or steer the agent: which are refused, which are removed, which are only told.

import { harmlessBunOptions, harmlessNodeOptions, otherOptions } from './runtime-options.ts';

/** A process environment; names map to values. */
export type Environment = Record<string, string | undefined>;

export interface EnvironmentFindings {
  /** Code, an inspector or a memory dump may already be in this process: the token is not read. */
  readonly refused: readonly string[];
  /** Steers TLS or routing of careless code. Ours ignores it; `scrubEnvironment` removes it. */
  readonly removable: readonly string[];
  /** Changes what is loaded, in ways that honest containers also use: a note in the posture. */
  readonly reported: readonly string[];
}

/** They load code, or what was compiled of it. */
const refusedNames = new Set([
  'LD_PRELOAD',
  'LD_AUDIT',
  'OPENSSL_CONF',
  'NODE_COMPILE_CACHE',
  'NODE_V8_COVERAGE',
  'NODE_REDIRECT_WARNINGS',
  // Its listeners would be those of the process that started it.
  'NODE_UNIQUE_ID',
  'BUN_BE_BUN',
  'BUN_RUNTIME_TRANSPILER_CACHE_PATH',
  'BUN_TCC_OPTIONS',
]);
/** Of OPENSSL_CONF and the like: nothing is read. */
const nowhere = '/dev/null';
const removableNames = new Set([
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_ENV_PROXY',
  'NODE_DEBUG',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
]);
const reportedNames = new Set([
  'LD_LIBRARY_PATH',
  'GLIBC_TUNABLES',
  'OPENSSL_MODULES',
  'OPENSSL_ENGINES',
  'NODE_PATH',
  'NODE_ICU_DATA',
  'NODE_PRESERVE_SYMLINKS',
  'NODE_PRESERVE_SYMLINKS_MAIN',
  'NODE_REPL_EXTERNAL_MODULE',
  'OPENSSL_CONF_INCLUDE',
  'LD_ORIGIN_PATH',
  'LD_DYNAMIC_WEAK',
  // They write files, or say on standard error what is loaded and asked for.
  'LD_DEBUG',
  'LD_DEBUG_OUTPUT',
  'LD_PROFILE',
  'LD_SHOW_AUXV',
  'NODE_DEBUG_NATIVE',
  'WATCH_REPORT_DEPENDENCIES',
  'BUN_CONFIG_VERBOSE_FETCH',
  'BUN_TRACE',
  'BUN_WATCHER_TRACE',
  'BUN_BYTECODE_DIGEST_OUT',
  'BUN_BYTECODE_ORDER_OUT',
  'BUN_BYTECODE_ORDER_NAMES_OUT',
  'BUN_INTERNAL_TEST_CHANGED_TRIGGER_FILE',
  'BUN_CRASH_REPORT_URL',
  'BUN_ENABLE_CRASH_REPORTING',
  'GCONV_PATH',
  'SSLKEYLOGFILE',
]);

/** Sorts the dangerous variables of an environment. Values are never part of the result. */
export function inspectEnvironment(environment: Environment): EnvironmentFindings {
  const refused: string[] = [];
  const removable: string[] = [];
  const reported: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === '' || value === nowhere) continue;
    const upper = name.toUpperCase();
    if (refusedNames.has(name) || name.startsWith('BUN_INSPECT')) refused.push(name);
    else if (name === 'NODE_OPTIONS') refused.push(...otherOptionsOf(name, value, harmlessNodeOptions));
    else if (name === 'BUN_OPTIONS') refused.push(...otherOptionsOf(name, value, harmlessBunOptions));
    // Proxy variables count in both cases; the others only as they are written.
    else if (removableNames.has(name) || (upper.endsWith('_PROXY') && removableNames.has(upper)))
      removable.push(name);
    else if (reportedNames.has(name)) reported.push(name);
  }
  return { refused, removable, reported };
}

/** Deletes the removable variables from an environment that the caller owns. Returns their names. */
export function scrubEnvironment(environment: Environment): readonly string[] {
  const { removable } = inspectEnvironment(environment);
  for (const name of removable) delete environment[name];
  return removable;
}

function otherOptionsOf(variable: string, value: string, harmless: ReadonlySet<string>): string[] {
  return otherOptions(value, harmless).map((option) => `${variable} with ${option}`);
}
