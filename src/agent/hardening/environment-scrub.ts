// Environment variables that could read or steer the agent: which are refused, which are removed, which are only told.

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

// Options of NODE_OPTIONS that load code, open an inspector, or write memory or environment to a file.
const dangerousNodeOptions = [
  '-r',
  '--require',
  '--import',
  '--loader',
  '--experimental-loader',
  '--inspect',
  '--inspect-brk',
  '--inspect-port',
  '--inspect-wait',
  '--inspect-publish-uid',
  '--debug-port',
  '--heapsnapshot-signal',
  '--heapsnapshot-near-heap-limit',
  '--report-on-signal',
  '--report-on-fatalerror',
  '--report-uncaught-exception',
  '--diagnostic-dir',
  '--heap-prof',
  '--cpu-prof',
  '--tls-keylog',
  '--trace-tls',
  '--env-file',
  '--experimental-config-file',
] as const;

// Options of BUN_OPTIONS with the same effects.
const dangerousBunOptions = [
  '-r',
  '--preload',
  '--require',
  '--import',
  '--inspect',
  '--env-file',
  '--config',
] as const;

const refusedNames = new Set(['LD_PRELOAD', 'LD_AUDIT', 'BUN_BE_BUN']);
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
const reportedNames = new Set(['LD_LIBRARY_PATH', 'OPENSSL_CONF', 'OPENSSL_MODULES', 'NODE_PATH']);

/** Sorts the dangerous variables of an environment. Values are never part of the result. */
export function inspectEnvironment(environment: Environment): EnvironmentFindings {
  const refused: string[] = [];
  const removable: string[] = [];
  const reported: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === '') continue;
    const upper = name.toUpperCase();
    if (refusedNames.has(name) || name.startsWith('BUN_INSPECT')) refused.push(name);
    else if (name === 'NODE_OPTIONS') refused.push(...dangerousOptions(name, value, dangerousNodeOptions));
    else if (name === 'BUN_OPTIONS') refused.push(...dangerousOptions(name, value, dangerousBunOptions));
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

// Node and Bun split these variables at spaces and honour double quotes; a quoted or escaped option still starts
// after a space, a quote or the beginning, so looking at all of them misses none.
function dangerousOptions(variable: string, value: string, dangerous: readonly string[]): string[] {
  const words = value
    .split(/[\s"'\\]+/)
    .filter((word) => word.startsWith('-'))
    // Node takes underscores for dashes in options.
    .map((word) => (word.split('=')[0] ?? '').replace(/_/g, '-'));
  const found = new Set(words.filter((word) => dangerous.some((option) => matches(word, option))));
  return [...found].map((option) => `${variable} with ${option}`);
}

function matches(word: string, option: string): boolean {
  // `-rfile` and `-r file` are one option; long options are equal or nothing, but all of --inspect* is the inspector.
  if (option === '-r') return word === '-r' || (word.startsWith('-r') && !word.startsWith('--'));
  if (option === '--inspect') return word.startsWith('--inspect');
  return word === option;
}
