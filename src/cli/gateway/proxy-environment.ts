// The variables by which clients without an agent reach the proxy listener. docs/reference/proxy.md has the table of clients, by runs.

import { ProxyError } from '../../protocol/error.ts';

export interface ProxyPlace {
  /** Of the listener, `https://host:port`. */
  readonly url: string;
  readonly token: string;
  /** Where the container has the certificates of the gateway. */
  readonly caFile: string | undefined;
}

/**
 * Lines for a shell, and for `--env-file`. wget and urllib would send the token in the clear: they read the small spelling, which is set to
 * nothing. No spelling of ALL_PROXY is good for all. @throws ProxyError usage
 */
export function proxyEnvironment({ url, token, caFile }: ProxyPlace): readonly string[] {
  const proxy = addressWith(url, token);
  const file = caFile === undefined ? [] : fileLines(caFile);
  return [
    `HTTPS_PROXY=${proxy}`,
    'https_proxy=',
    `HTTP_PROXY=${proxy}`,
    'http_proxy=',
    `PIP_PROXY=${proxy}`,
    `npm_config_proxy=${proxy}`,
    `npm_config_https_proxy=${proxy}`,
    `CARGO_HTTP_PROXY=${proxy}`,
    'NODE_USE_ENV_PROXY=1',
    ...gitLines({ 'http.proxy': proxy }),
    ...file,
  ];
}

/** git takes the small spelling for its word, also where it is empty; its configuration comes before both. */
function gitLines(values: Readonly<Record<string, string>>): readonly string[] {
  const entries = Object.entries(values);
  return [
    `GIT_CONFIG_COUNT=${entries.length}`,
    ...entries.flatMap(([key, value], i) => [`GIT_CONFIG_KEY_${i}=${key}`, `GIT_CONFIG_VALUE_${i}=${value}`]),
  ];
}

function fileLines(file: string): readonly string[] {
  if (!/^[A-Za-z0-9/._-]+$/.test(file))
    throw new ProxyError('usage', '--ca-file takes a path of letters, digits and ._-/ alone');
  return [
    `SSL_CERT_FILE=${file}`,
    `NODE_EXTRA_CA_CERTS=${file}`,
    `npm_config_cafile=${file}`,
    `REQUESTS_CA_BUNDLE=${file}`,
    `CURL_CA_BUNDLE=${file}`,
    `GIT_SSL_CAINFO=${file}`,
    `GIT_PROXY_SSL_CAINFO=${file}`,
    `CARGO_HTTP_CAINFO=${file}`,
  ];
}

function addressWith(text: string, token: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.origin !== text.replace(/\/$/, ''))
    throw new ProxyError(
      'usage',
      `--env takes the address of the listener, such as https://gateway.example.com:8444, not "${text}"`,
    );
  return `https://proxy:${token}@${url.host}`;
}
