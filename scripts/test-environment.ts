// What a test inherits from whoever started the run: nothing that changes what programs print, where they connect, or what npm does.

/** Where packages come from is a fact of the machine, not a wish of the caller. */
const keptNpmSettings = new Set([
  'npm_config_registry',
  'npm_config_cafile',
  'npm_config_userconfig',
  'npm_config_globalconfig',
  'npm_config_cache',
]);

const dropped = [
  // npm hands its own options and the whole package.json to scripts; a child npm takes them for its own.
  /^npm_/i,
  /^(?:https?|ftp|all|no)_proxy$/i,
  // Languages, and whatever colours output.
  /^(?:LC_.*|LANGUAGE|LANG)$/,
  /^(?:FORCE_COLOR|FORCE_HYPERLINK|CLICOLOR|CLICOLOR_FORCE|NO_COLOR)$/,
  // Options of runtimes and loaders, which many tests set for the programs that they start.
  /^(?:NODE_OPTIONS|NODE_V8_COVERAGE|NODE_DEBUG|NODE_REPL_.*|BUN_OPTIONS|BUN_INSPECT.*|LD_PRELOAD)$/,
  /^GIT_(?!SSL_|EXEC_PATH)/,
  /^UPSTREAMPROXY_/,
];

/** `TEST_TLS_ENDS_IN=gateway` runs everything with TLS that ends in the gateway; without it, it ends in the agent where it can. */
export const tlsEndName = 'TEST_TLS_ENDS_IN';
export const programTlsEnd = 'UPSTREAMPROXY_TLS_ENDS_IN';

/** The environment of all tests, made from that of the run. */
export function testEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(
    ([name]) => keptNpmSettings.has(name.toLowerCase()) || !dropped.some((pattern) => pattern.test(name)),
  );
  const tlsEnd = environment[tlsEndName];
  return {
    ...Object.fromEntries(kept),
    ...(tlsEnd === undefined ? {} : { [programTlsEnd]: tlsEnd }),
    LANG: 'C.UTF-8',
  };
}

/** The same, with TLS of clients ended at the other place. */
export function withOtherTlsEnd(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const end = environment[programTlsEnd] === 'gateway' ? 'agent' : 'gateway';
  return { ...environment, [programTlsEnd]: end };
}

/** Permissions of the files that tests make, whatever the caller's are. */
export const testUmask = 0o022;
