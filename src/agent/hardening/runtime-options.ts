// Options of NODE_OPTIONS and BUN_OPTIONS that neither run code, nor open an inspector, nor write memory, environment or keys anywhere, nor
// change what is loaded. All others are refused, those too that a later version brings.

/** Without the leading dashes; `no-` before one of them is harmless too. */
export const harmlessNodeOptions: ReadonlySet<string> = new Set(
  `addons async-context-frame deprecation disable-proto disable-sigusr1 disable-warning dns-result-order
  enable-network-family-autoselection enable-source-maps experimental-abortcontroller experimental-detect-module
  experimental-eventsource experimental-fetch experimental-ffi experimental-global-customevent experimental-global-navigator
  experimental-global-webcrypto experimental-json-modules experimental-modules experimental-repl-await
  experimental-require-module experimental-sqlite experimental-strip-types experimental-top-level-await
  experimental-vm-modules experimental-wasm-modules experimental-websocket experimental-worker frozen-intrinsics
  global-search-paths max-heap-size max-http-header-size max-old-space-size max-old-space-size-percentage
  max-semi-space-size network-family-autoselection network-family-autoselection-attempt-timeout node-snapshot
  pending-deprecation require-module stack-trace-limit strip-types throw-deprecation title tls-max-v1.3 tls-min-v1.2
  tls-min-v1.3 trace-deprecation trace-uncaught trace-warnings unhandled-rejections use-bundled-ca use-openssl-ca
  use-system-ca v8-pool-size warnings zero-fill-buffers`.split(/\s+/),
);

export const harmlessBunOptions: ReadonlySet<string> = new Set(
  `smol silent no-orphans no-clear-screen no-exit-on-error no-install max-http-header-size dns-result-order no-deprecation
  throw-deprecation no-warnings trace-warnings trace-deprecation pending-deprecation disable-warning title zero-fill-buffers
  use-system-ca use-openssl-ca use-bundled-ca no-addons no-ffi-cc unhandled-rejections console-depth no-macros
  no-env-file`.split(/\s+/),
);

/**
 * The words of such a variable as Node reads it: spaces part them, a double quote begins and ends a part in which they do not and in which a
 * backslash takes the next character as it is. Bun is no more generous.
 */
export function optionWords(value: string): readonly string[] {
  const words: string[] = [];
  let isQuoted = false;
  let isNew = true;
  for (let at = 0; at < value.length; at++) {
    let character = value[at] ?? '';
    if (character === '\\' && isQuoted) character = value[++at] ?? '';
    else if (/\s/.test(character) && !isQuoted) {
      isNew = true;
      continue;
    } else if (character === '"') {
      isQuoted = !isQuoted;
      continue;
    }
    if (isNew) words.push('');
    isNew = false;
    words[words.length - 1] += character;
  }
  return words;
}

/** The options in it that are not harmless, without their values. */
export function otherOptions(value: string, harmless: ReadonlySet<string>): readonly string[] {
  const options = optionWords(value)
    .filter((word) => word.startsWith('-'))
    // Node takes underscores for dashes in options.
    .map((word) => (word.split('=')[0] ?? '').replaceAll('_', '-'));
  return [...new Set(options)].filter((option) => {
    const name = option.replace(/^--/, '');
    return !harmless.has(name) && !harmless.has(name.replace(/^no-/, ''));
  });
}
