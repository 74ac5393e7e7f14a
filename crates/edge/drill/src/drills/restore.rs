//! A16-6, A16-19, H15-7: restore is one command, onto a bare machine, timed; a damaged backup is not the end.

use super::{Drill, catalog_deleted::one_line};
use crate::error::DrillError;
use crate::figure::Figure;
use crate::judge::{all_files, ask_all};
use crate::load::Profile;
use crate::plant;
use crate::record::Record;
use crate::stage::Stage;

pub const DRILL: Drill = Drill {
    name: "a16-6-restore",
    rows: &["A16-6", "A16-19", "H15-7"],
    title: "A backup is restored into an empty place by one command; with the newest damaged, the one before is taken.",
    story: "In 2016 backups existed, but restoring was slow and without a procedure; in 2015 hardware had to be\n\
            replaced. Here two backups are made under load, the instance is killed and its folder deleted, and\n\
            `tallymark restore` makes a new one from the backup, verified and timed. Then the newest backup is\n\
            damaged, and restore must take the one before.",
    run: |stage| Box::pin(run(stage)),
};

async fn run(stage: &mut Stage) -> Result<(), DrillError> {
    let record = Record::default();
    let mut shop = stage.start("shop").await?;
    let place = stage.folder().join("backups");
    let to = format!("file:{}", place.display());
    stage.load_for(&shop, &Profile::default(), &record, 6.0).await;
    let load = stage.load(&shop, &Profile { rate: 300.0, ..Profile::default() }, &record);
    let first = shop.command(&["backup", "--to", &to, "--json"]).await?.ok()?;
    stage.note(format!("first backup, under load: {:.1} s; {}", first.seconds, one_line(&first.out)));
    load.stop().await;
    stage.judge(&shop, &record).await?;
    let before = ask_all(&shop).await?;
    let second = shop.command(&["backup", "--to", &to, "--json"]).await?.ok()?;
    stage.note(format!("second backup, incremental: {:.1} s; {}", second.seconds, one_line(&second.out)));
    shop.kill_all().await;
    plant::remove_folder(shop.data())?;
    stage.note("the instance is killed and its folder is gone");
    let bare = stage.folder().join("restored");
    let target = bare.display().to_string();
    let done = shop.command(&["restore", "--from", &to, "--data", &target, "--json"]).await?.ok()?;
    stage.note(format!("restore: {}", one_line(&done.out)));
    stage.figure(
        Figure::seconds("restore to an empty place (RTO)", done.seconds).at_most(900.0).objective("O8"),
    );
    shop.use_data(&bare);
    let up = shop.start().await?;
    stage.figure(Figure::seconds("start after the restore", up).at_most(10.0).objective("O7"));
    stage.judge(&shop, &record).await?;
    stage.compare_with(&shop, &before).await?;
    stage.verify(&shop).await?;
    shop.stop().await;

    let newest = all_files(&place)?
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .max_by_key(|p| std::fs::metadata(p).and_then(|m| m.modified()).ok());
    let Some(newest) = newest else { return Err(DrillError::Missing("manifest of the backup".to_owned())) };
    plant::flip_bit(&newest)?;
    stage.note(format!(
        "damaged: {}",
        newest.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    ));
    let again = stage.folder().join("restored-again");
    let target = again.display().to_string();
    let done = shop.command(&["restore", "--from", &to, "--data", &target, "--json"]).await?;
    stage.note(format!(
        "restore with the newest damaged ended with {}: {}",
        done.code,
        one_line(&format!("{}{}", done.out, done.err))
    ));
    stage.figure(
        Figure::must("with the newest backup damaged, the one before is restored", done.code == 0)
            .objective("A16-6"),
    );
    Ok(())
}
