// A notice as a CloudEvent (specification 1.0, JSON in structured mode).

import type { Notice } from './notice.ts';

export const cloudEventType = 'application/cloudevents+json; charset=utf-8';

export interface NoticePlace {
  /** Of the gateway, as the store knows it. */
  readonly gateway: string;
  /** Where people look at it, if the configuration says. */
  readonly link: string | undefined;
}

/** Its JSON. `untold` is how many notices this receiver was not told since the last one. */
export function cloudEvent(notice: Notice, untold: number, { gateway, link }: NoticePlace): string {
  const { id, kind, time, text, facts, question } = notice;
  return JSON.stringify({
    specversion: '1.0',
    id,
    source: `urn:upstreamproxy:gateway:${encodeURIComponent(gateway)}`,
    type: `upstreamproxy.${kind}`,
    time,
    ...(facts.sessionId === undefined ? {} : { subject: facts.sessionId }),
    datacontenttype: 'application/json',
    data: {
      text,
      ...facts,
      ...(question === undefined ? {} : { question }),
      ...(untold === 0 ? {} : { untold }),
      ...(link === undefined ? {} : { link }),
    },
  });
}
