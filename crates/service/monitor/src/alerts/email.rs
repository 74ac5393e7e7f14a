//! Alerts by mail.
//!
//! Guarantees: the connection goes to an address that was checked, while the certificate is checked for the name;
//! mails of one incident form a thread.
//! Deliberately not here: HTML.

use super::Notice;
use crate::config::{EmailTarget, EmailTls};
use crate::outbound::{Outbound, SendError};
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

pub async fn send(
    outbound: &Outbound,
    target: &EmailTarget,
    id: &str,
    notice: &Notice,
) -> Result<(), SendError> {
    let message = message(target, id, notice)?;
    let address = outbound.addresses(&target.host, target.port).await?[0];
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(address.port())
        .hello_name(ClientId::Domain(sender_domain(target)))
        .timeout(Some(outbound.timeout()))
        .tls(tls(target)?);
    if let (Some(user), Some(password)) = (&target.username, &target.password) {
        let password = password.reveal().map_err(|e| SendError::Refused(e.to_string()))?;
        transport = transport.credentials(Credentials::new(user.clone(), password));
    }
    let transport = transport.build();
    let sent = tokio::time::timeout(outbound.timeout(), transport.send(message)).await;
    sent.map_err(|_| SendError::Timeout)?.map(|_| ()).map_err(|e| SendError::Mail(e.to_string()))
}

fn tls(target: &EmailTarget) -> Result<Tls, SendError> {
    let parameters = || TlsParameters::new(target.host.clone()).map_err(|e| SendError::Mail(e.to_string()));
    Ok(match target.tls {
        EmailTls::None => Tls::None,
        EmailTls::Starttls => Tls::Required(parameters()?),
        EmailTls::Implicit => Tls::Wrapper(parameters()?),
    })
}

fn message(target: &EmailTarget, id: &str, notice: &Notice) -> Result<Message, SendError> {
    let refused = |e: &dyn std::fmt::Display| SendError::Refused(e.to_string());
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|e| refused(&e));
    let domain = sender_domain(target);
    // Every mail of an incident answers a mail that never was: that makes them one thread.
    let thread = format!("<incident-{}@{domain}>", notice.incident);
    let mut builder = Message::builder()
        .from(mailbox(&target.from)?)
        .subject(notice.headline())
        .message_id(Some(format!("<{id}@{domain}>")))
        .in_reply_to(thread.clone())
        .references(thread)
        .header(ContentType::TEXT_PLAIN);
    for to in &target.to {
        builder = builder.to(mailbox(to)?);
    }
    builder.body(notice.plain()).map_err(|e| refused(&e))
}

fn sender_domain(target: &EmailTarget) -> String {
    let domain = target.from.rsplit('@').next().unwrap_or_default();
    domain.trim_end_matches('>').trim().to_owned()
}
