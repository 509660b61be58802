// A browser as far as log-in needs one: cookies by host, redirects one at a time, and what it says of where a request comes from.

import { request } from 'node:https';

export interface Page {
  readonly status: number;
  readonly location: string | undefined;
  readonly cookies: readonly string[];
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

export interface Visit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export class TestBrowser {
  readonly #ca: string;
  /** Cookies know no port. */
  readonly jar = new Map<string, Map<string, string>>();

  constructor(ca: string) {
    this.#ca = ca;
  }

  cookie(host: string, name: string): string | undefined {
    return this.jar.get(host)?.get(name);
  }

  /** One request, to the port of the URL on this machine. No redirect is followed. */
  async get(url: string, { method = 'GET', headers = {}, body }: Visit = {}): Promise<Page> {
    const { hostname, port, host, pathname, search } = new URL(url);
    const own = this.jar.get(hostname) ?? new Map<string, string>();
    this.jar.set(hostname, own);
    const cookie = [...own].map(([name, value]) => `${name}=${value}`).join('; ');
    const page = await new Promise<Page>((resolve, reject) => {
      const asked = request({
        host: '127.0.0.1',
        port,
        method,
        path: `${pathname}${search}`,
        servername: hostname,
        ca: this.#ca,
        agent: false,
        headers: { host, ...(cookie === '' ? {} : { cookie }), ...headers },
      });
      asked.on('error', reject);
      asked.on('response', (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const { location } = response.headers;
          resolve({
            status: response.statusCode ?? 0,
            location: location === undefined ? undefined : new URL(location, url).href,
            cookies: response.headers['set-cookie'] ?? [],
            headers: response.headers,
            text: Buffer.concat(pieces).toString('utf8'),
          });
        });
      });
      asked.end(body);
    });
    for (const field of page.cookies) keep(own, field);
    return page;
  }

  /** Follows redirects until a page, or until one leads to an address that begins so: that one is given and not asked. */
  async follow(
    url: string,
    until?: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Page & { readonly url: string }> {
    let at = url;
    for (let step = 0; step < 20; step += 1) {
      const page = await this.get(at, { headers });
      if (page.location === undefined) return { ...page, url: at };
      at = page.location;
      if (until !== undefined && at.startsWith(until)) return { ...page, url: at };
    }
    throw new Error('the redirects have no end');
  }
}

function keep(own: Map<string, string>, field: string): void {
  const [pair = '', ...attributes] = field.split(';').map((part) => part.trim());
  const equals = pair.indexOf('=');
  const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
  const isOver = attributes.some((one) => /^max-age=0$/i.test(one) || /^expires=thu, 01 jan 1970/i.test(one));
  if (isOver || value === '') own.delete(name);
  else own.set(name, value);
}
