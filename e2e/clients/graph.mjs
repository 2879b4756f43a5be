// What a stranger's program does with Microsoft's own libraries, pointed at
// Cardea by the lines of docs/clients.md and by nothing else: msal-node,
// @azure/identity and @microsoft/microsoft-graph-client. It runs as a process of
// its own, with the server's authority in NODE_EXTRA_CA_CERTS, and prints what
// it saw as JSON. Anything unexpected ends it with a message.
import assert from 'node:assert/strict';
import { ClientSecretCredential } from '@azure/identity';
import { ConfidentialClientApplication } from '@azure/msal-node';
import { BatchRequestContent, BatchResponseContent, Client, GraphError, PageIterator } from '@microsoft/microsoft-graph-client';
import { TokenCredentialAuthenticationProvider } from '@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js';

const { HOST, TENANT, CLIENT_ID, CLIENT_SECRET } = process.env;
const server = `https://${HOST}`, scopes = ['https://graph.microsoft.com/.default'];
const seen = {};

// msal-node
const msal = new ConfidentialClientApplication({ auth: { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, authority: `${server}/${TENANT}`, knownAuthorities: [HOST] } });
const token = await msal.acquireTokenByClientCredential({ scopes });
assert.equal(token.tokenType, 'Bearer');
assert.ok(token.expiresOn > new Date());
seen.fromCache = (await msal.acquireTokenByClientCredential({ scopes })).fromCache;
await assert.rejects(new ConfidentialClientApplication({ auth: { clientId: CLIENT_ID, clientSecret: 'wrong', authority: `${server}/${TENANT}`, knownAuthorities: [HOST] } })
  .acquireTokenByClientCredential({ scopes }), (e) => { seen.wrongSecret = e.errorCode; return /AADSTS7000215/.test(e.errorMessage); });

// @azure/identity under the Graph client
const credential = new ClientSecretCredential(TENANT, CLIENT_ID, CLIENT_SECRET, { authorityHost: server, disableInstanceDiscovery: true });
const graph = Client.initWithMiddleware({ authProvider: new TokenCredentialAuthenticationProvider(credential, { scopes }), baseUrl: `${server}/`, defaultVersion: 'v1.0', customHosts: new Set([HOST.split(':')[0]]) });

const people = [];
for (const name of ['Uma', 'Vik', 'Wim', "Xin O'Neil"]) {
  people.push(await graph.api('/users').post({ accountEnabled: true, displayName: name, mailNickname: name[0], userPrincipalName: `${name[0]}@contoso.com`, passwordProfile: { forceChangePasswordNextSignIn: true, password: 'Correct-Horse-7' } }));
}
const uma = people[0];
await graph.api(`/users/${uma.id}`).patch({ jobTitle: null, department: 'Sales', '@odata.type': '#microsoft.graph.user' });
seen.department = (await graph.api('/users/U@contoso.com').select('department,displayName').get()).department;
const filtered = await graph.api('/users').filter("startswith(displayName,'Xin O''Neil') and accountEnabled eq true").orderby('displayName desc').top(5).count(true).header('ConsistencyLevel', 'eventual').get();
seen.filtered = [filtered['@odata.count'], filtered.value.length];

const first = await graph.api('/users').top(2).select('id,displayName').get();
assert.equal(first.value.length, 2);
let walked = 0;
await new PageIterator(graph, first, () => { walked++; return true; }).iterate();
seen.walked = walked;
seen.count = Number(await graph.api('/users/$count').header('ConsistencyLevel', 'eventual').header('Accept', 'text/plain').get());

const group = await graph.api('/groups').post({ displayName: 'Sales', mailEnabled: false, mailNickname: 'sales', securityEnabled: true });
await graph.api(`/groups/${group.id}/members/$ref`).post({ '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${uma.id}` });
const members = await graph.api(`/groups/${group.id}/members`).get();
seen.member = members.value[0]['@odata.type'];
await assert.rejects(graph.api(`/groups/${group.id}/members/$ref`).post({ '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${uma.id}` }), (e) => e instanceof GraphError && e.statusCode === 400);
await assert.rejects(graph.api('/users/00000000-0000-0000-0000-000000000000').get(), (e) => { seen.notFound = [e.statusCode, e.code, typeof e.requestId]; return true; });

const batch = new BatchRequestContent([
  { id: '1', request: new Request(`${server}/v1.0/users/${uma.id}`, { method: 'GET' }) },
  { id: '2', dependsOn: ['1'], request: new Request(`${server}/v1.0/users/${people[1].id}`, { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ jobTitle: 'Clerk' }) }) },
]);
const answers = new BatchResponseContent(await graph.api('/$batch').post(await batch.getContent()));
seen.batch = [answers.getResponseById('1').status, answers.getResponseById('2').status];

const options = await graph.api(`/users/${uma.id}/authentication/fido2Methods/creationOptions(challengeTimeoutInMinutes=5)`).version('beta').get();
seen.challenge = /^[A-Za-z0-9]+$/.test(options.publicKey.challenge) && options.publicKey.pubKeyCredParams.length === 2;
seen.methods = (await graph.api(`/users/${uma.id}/authentication/methods`).get()).value.map((m) => m['@odata.type']);
for (const p of people) await graph.api(`/users/${p.id}`).delete();
process.stdout.write(JSON.stringify(seen));
