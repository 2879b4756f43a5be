// The Graph-compatible API, called as an application with every permission
// (made by `cardea bootstrap app`), and the few objects that the tests need.
import type { Server } from './server.ts';

export type Person = { id: string; userPrincipalName: string; displayName: string };
export type Application = { id: string; appId: string; secret: string };
export type Method = { '@odata.type': string; id: string; displayName?: string; passkeyType?: string };

export const globalAdministrator = '62e90394-69f5-4237-9190-012177145e10';
export const defaultProfile = '00000000-0000-0000-0000-000000000001';

export class Graph {
  private constructor(private readonly url: string, private readonly token: string) {}

  static async connect(server: Server): Promise<Graph> {
    const { tenantId, clientId, clientSecret } = server.automation;
    const answer = await fetch(`${server.url}/${tenantId}/oauth2/v2.0/token`, {
      method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, scope: `${server.url}/.default` }),
    });
    if (!answer.ok) throw new Error(`token: ${answer.status} ${await answer.text()}`);
    return new Graph(server.url, (await answer.json() as { access_token: string }).access_token);
  }

  // call sends one request below /v1.0 and throws with the server's own words
  // if it is refused.
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.url}/v1.0${path}`, {
      method, headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  hire(displayName: string, userPrincipalName: string): Promise<Person> {
    return this.call('POST', '/users', { accountEnabled: true, displayName, mailNickname: userPrincipalName.split('@')[0], userPrincipalName });
  }

  // pass issues a Temporary Access Pass and returns its code.
  async pass(person: Person, options: { isUsableOnce?: boolean; lifetimeInMinutes?: number } = {}): Promise<string> {
    return (await this.call<{ temporaryAccessPass: string }>('POST', `/users/${person.id}/authentication/temporaryAccessPassMethods`, options)).temporaryAccessPass;
  }

  async enrolmentLink(person: Person): Promise<string> {
    return (await this.call<{ url: string }>('POST', `/users/${person.id}/cardea.issueEnrolmentLink`, {})).url;
  }

  async passkeys(person: Person): Promise<Method[]> {
    return (await this.call<{ value: Method[] }>('GET', `/users/${person.id}/authentication/fido2Methods`)).value;
  }

  promote(person: Person): Promise<void> {
    return this.call('POST', `/directoryRoles(roleTemplateId='${globalAdministrator}')/members/$ref`, { '@odata.id': `${this.url}/v1.0/directoryObjects/${person.id}` });
  }

  // configure changes the policy of one method.
  configure(method: 'Fido2' | 'TemporaryAccessPass' | 'SoftwareOath' | 'Password', change: object): Promise<void> {
    return this.call('PATCH', `/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/${method}`, change);
  }

  // register makes an application with a secret.
  async register(displayName: string, redirectUri: string, signedOutUri: string): Promise<Application> {
    const { id, appId } = await this.call<{ id: string; appId: string }>('POST', '/applications', {
      displayName, web: { redirectUris: [redirectUri] }, cardea: { postLogoutRedirectUris: [signedOutUri] },
    });
    const { secretText } = await this.call<{ secretText: string }>('POST', `/applications/${id}/addPassword`, { passwordCredential: { displayName: 'e2e' } });
    return { id, appId, secret: secretText };
  }

  async signIns(): Promise<{ userPrincipalName: string; appDisplayName: string; status: { errorCode: number; additionalDetails: string | null } }[]> {
    return (await this.call<{ value: never[] }>('GET', '/auditLogs/signIns')).value;
  }

  async audits(): Promise<{ activityDisplayName: string; result: string; initiatedBy: { user?: { userPrincipalName?: string } } }[]> {
    return (await this.call<{ value: never[] }>('GET', '/auditLogs/directoryAudits')).value;
  }
}
