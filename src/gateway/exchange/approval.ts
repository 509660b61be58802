// What a person allowed, to be used up when the request goes out.

export interface Approval {
  /** @throws ProxyError question_open where another request was quicker, or somebody took it back */
  use(): Promise<void>;
}
