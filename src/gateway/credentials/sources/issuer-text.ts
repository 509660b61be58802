// What issuers of tokens say, and how they are named.

/** Undefined for what is no JSON: that fails the schema like any other wrong response, and the parser's message would quote it. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The host of a URL of the configuration, for people. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'in the configuration';
}
