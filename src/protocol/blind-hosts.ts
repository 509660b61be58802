// The destinations at which the agent leaves TLS to the gateway: as the gateway says them, and as the agent asks for them.

/** Every destination: where the list would be too long. */
const everywhere = '*';

/**
 * The text of a `hosts` frame: the policy's version, then one pattern a line, each with its port: `host:port`, `*.name:port` for
 * what is below a name, `*:port`. What does not fit becomes `*`, which stands for everything.
 */
export function blindHostsText(version: string, patterns: readonly string[], bytesMax: number): string {
  const text = [version, ...new Set(patterns)].join('\n');
  return text.length <= bytesMax ? text : `${version}\n${everywhere}`;
}

/** What the agent was told last. */
export class BlindHosts {
  readonly version: string;
  readonly #patterns: ReadonlySet<string>;

  /** A line that is no pattern could have meant anything: then everything is covered. */
  constructor(text: string) {
    const [version = '', ...lines] = text.split('\n');
    this.version = version;
    const isSound = lines.every((line) => /^[\w.*:[\]-]+$/.test(line));
    this.#patterns = new Set(isSound ? lines : [everywhere]);
  }

  /** Whether the gateway is to see the TLS of a connection to the authority, which is in canonical form. */
  covers(authority: string): boolean {
    if (this.#patterns.size === 0) return false;
    if (this.#patterns.has(everywhere) || this.#patterns.has(authority)) return true;
    const port = authority.slice(authority.lastIndexOf(':'));
    if (this.#patterns.has(`*${port}`)) return true;
    for (let dot = authority.indexOf('.'); dot >= 0; dot = authority.indexOf('.', dot + 1))
      if (this.#patterns.has(`*${authority.slice(dot)}`)) return true;
    return false;
  }
}
